"""What settings are made of: how their YAML is read, the kinds of their values, and those that no claim depends on."""
