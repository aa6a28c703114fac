import os
import secrets


def prefix() -> str:
    return f"rm_{os.getpid()}_0_{secrets.token_hex(4)}"
