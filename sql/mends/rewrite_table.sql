-- Writes a table anew, without what is empty in it. Nobody reads or writes it meanwhile.
vacuum (full, analyze) howdah.:"table";
