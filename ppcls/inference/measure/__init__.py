"""How fast models run on this machine: the parts of `ppcls benchmark`. Imported by nothing else of the runtime."""
