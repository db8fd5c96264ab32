-- Applies what ends of runs mean for others, as nodes do after each commit.
select howdah.settle();
