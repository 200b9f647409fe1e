"""AWS on loopback: a real HTTP server with a seeded estate, and a proxy that breaks it on purpose."""
