"""What an adapter is: its folder, where to find it, how it is checked and merged."""
