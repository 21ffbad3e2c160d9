"""The science of the workbench: no user interface, no weights, no disk. See docs/architecture.md for the storeys."""
