"""Tests of the Azure collectors."""
