"""What fills the terminal: one module per screen, all built on ``base``."""
