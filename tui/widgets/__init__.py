"""Parts that screens are made of; each draws data that it is handed and posts what was asked for."""
