-- Removes dead rows. Others go on reading and writing.
vacuum (analyze) howdah.:"table";
