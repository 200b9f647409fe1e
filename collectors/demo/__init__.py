"""The bundled demo estate: invented services in three clouds, kept as readable YAML.

The files say what a collector would have read; the real pipeline and the real rules judge it.
"""

from collectors.demo.estate import Demo, DemoDecision, DemoScan, load_demo

__all__ = ["Demo", "DemoDecision", "DemoScan", "load_demo"]
