"""Users' own activation and error functions: traced, differentiated, compiled, and called by address."""
