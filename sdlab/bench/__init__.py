"""The benchmark: how long a pipeline takes on this machine, what it holds, and which settings pay."""
