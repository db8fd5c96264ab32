-- Makes the partitions of one day, and moves its rows there.
select howdah.add_day(:day, :hashes);
