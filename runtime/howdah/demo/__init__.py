"""The main job on real input: source files are carried through the queue into a table that answers searches."""
