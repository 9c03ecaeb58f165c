"""What every test has in common: on a busy machine an example may take its time."""

from hypothesis import settings

settings.register_profile("khoros_analytics", deadline=None)
settings.load_profile("khoros_analytics")
