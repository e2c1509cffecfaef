"""Folders of any size, classified into a table: finding the files, many through the network, rows that stay."""
