from tests.take_in.conftest import home  # noqa: F401  the same home with one practice
