"""The Python interface, for notebooks and programs: what `dlcli` offers by name, resolved when it is first used."""
