"""What a server and some nodes will hold, measured: real nodes, a scratch database, two levels of load."""
