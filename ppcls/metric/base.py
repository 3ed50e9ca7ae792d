from ppcls.utils.registry import Registry

METRICS = Registry("metric")
