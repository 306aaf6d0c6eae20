"""Other people's frameworks, one file each, imported by name: nothing here is loaded unless asked for."""
