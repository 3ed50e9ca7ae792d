"""Is my data sound? What `ppcls check` looks at before a training."""
