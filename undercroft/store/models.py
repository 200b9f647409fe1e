"""By which constants each saved scan is scored: kept with it, so that its numbers can be had again."""

from __future__ import annotations

import json
import sqlite3
from functools import lru_cache

from undercroft.risk.constants import DEFAULT, RISK_MODEL, RiskModel
from undercroft.store.scans import PUBLISHED

__all__ = ["TABLES", "keep", "model_of", "models"]

TABLES = (
    """CREATE TABLE risk_model (
        digest TEXT PRIMARY KEY, version INTEGER NOT NULL, constants TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    # Until now there was only the one model, with its constants as published.
    f"""ALTER TABLE scan ADD COLUMN model TEXT NOT NULL DEFAULT '{PUBLISHED}'""",
)


def keep(connection: sqlite3.Connection, model: RiskModel) -> str:
    """Write a model's constants down, unless they are known; its digest."""
    connection.execute(
        "INSERT OR IGNORE INTO risk_model (digest, version, constants) VALUES (?, ?, ?)",
        (model.digest, RISK_MODEL, model.text),
    )
    return model.digest


def model_of(connection: sqlite3.Connection, scan_id: int) -> RiskModel:
    """The model by which a scan is scored."""
    row = connection.execute(
        "SELECT m.constants FROM scan s JOIN risk_model m ON m.digest = s.model WHERE s.id = ?",
        (scan_id,),
    ).fetchone()
    return DEFAULT if row is None else _read(row[0])


def models(connection: sqlite3.Connection) -> dict[int, RiskModel]:
    """Scan → the model by which it is scored, of every scan."""
    return {
        scan: _read(text)
        for scan, text in connection.execute(
            "SELECT s.id, m.constants FROM scan s JOIN risk_model m ON m.digest = s.model"
        )
    }


@lru_cache(maxsize=32)
def _read(text: str) -> RiskModel:
    # One object per model: what is worked out of its constants is remembered by it.
    return DEFAULT if text == DEFAULT.text else RiskModel.of(json.loads(text))
