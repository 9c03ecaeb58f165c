"""What the tests of the journal share: clients that keep one, and a look into its table."""

import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def connect(world, journal):
    """Make clients that keep the journal."""
    return lambda **settings: world.connect(**{"journal": journal, **settings})


@pytest.fixture
def execute(journal):
    """Do something to the journal's table behind the library's back."""

    def change(statement, *values):
        with closing(sqlite3.connect(journal)) as database, database:
            return database.execute(statement, values).fetchall()

    return change


@pytest.fixture
def states(execute):
    """Return the states in the journal, oldest first."""
    return lambda: [state for (state,) in execute("SELECT state FROM exports ORDER BY id")]
