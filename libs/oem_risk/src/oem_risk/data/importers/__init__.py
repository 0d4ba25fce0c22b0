"""Files as exchanges, archives and other programs write them, read into the house's series."""
