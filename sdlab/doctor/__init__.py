"""What is wrong with this machine, and what to do about it: `sdlab doctor`."""
