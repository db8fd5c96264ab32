-- Makes the partitions of today and of the days ahead, as nodes do each hour.
select made, homeless from howdah.tend(:ahead_days, :hashes);
