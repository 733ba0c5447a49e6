"""Describes the interface of the installed OpenOrchestrator package as JSON: names, parameters, defaults.

Run by a Python with the real package and what it depends on: ``python describe.py > contract/3.0.0.json``.
"""

import enum, importlib, importlib.metadata, inspect, json, sys
MODULES = ["common.crypto_util", "common.datetime_util", "database.constants", "database.db_util", "database.jobs", "database.logs",
           "database.queues", "database.schedulers", "database.triggers", "database.truncated_string", "orchestrator_connection.connection"]
def parameters(function):
    return [[p.name, None if p.default is p.empty else repr(p.default)] for p in inspect.signature(function).parameters.values() if p.name not in ("self", "cls")]
def describe(cls):
    if issubclass(cls, enum.Enum):
        return {"members": {m.name: m.value for m in cls}}
    methods, fields = {}, []
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("OpenOrchestrator") or base.__name__ == "Base": continue
        for name, value in vars(base).items():
            if name.startswith("_") and name != "__init__": continue
            f = getattr(value, "__func__", value)
            if inspect.isfunction(f):
                if name == "__init__" and "kwargs" in inspect.signature(f).parameters: continue
                methods[name] = parameters(f)
            elif type(value).__name__ == "InstrumentedAttribute": fields.append(name)
    return {"methods": methods, "fields": sorted(set(fields))}
out = {}
for m in MODULES:
    try: mod = importlib.import_module("OpenOrchestrator." + m)
    except ModuleNotFoundError as missing:
        # A module that this version does not have. What the package depends on has to be installed.
        if not str(missing.name).startswith("OpenOrchestrator"): raise
        continue
    d = {"functions": {}, "classes": {}}
    for n, o in sorted(vars(mod).items()):
        if n.startswith("_") or getattr(o, "__module__", None) != mod.__name__ or n in ("Base", "create_tables"): continue
        if inspect.isfunction(o): d["functions"][n] = parameters(o)
        elif inspect.isclass(o): d["classes"][n] = describe(o)
    out[m] = d
json.dump({"version": importlib.metadata.version("OpenOrchestrator"), "modules": out}, sys.stdout, indent=1, sort_keys=True)
