"""As much of the package onnxruntime as the backend uses, with a session of the test's own."""

from types import ModuleType, SimpleNamespace


class Options:
    """`SessionOptions`, whose entries are kept beside its attributes."""

    def __init__(self):
        self.entries = {}

    def add_session_config_entry(self, key, value):
        self.entries[key] = value


def fake_onnxruntime(session):
    """A module whose `arenas` are what was registered for all sessions: name, and how it grows."""
    module = ModuleType("onnxruntime")
    module.InferenceSession = session
    module.SessionOptions = Options
    module.OrtAllocatorType = SimpleNamespace(ORT_ARENA_ALLOCATOR="arena")
    module.OrtMemType = SimpleNamespace(DEFAULT="default")
    module.OrtMemoryInfo = lambda name, kind, number, memory: (name, kind, number, memory)
    module.OrtArenaCfg = dict
    module.arenas = []
    module.create_and_register_allocator = lambda *arena: module.arenas.append(arena)
    return module
