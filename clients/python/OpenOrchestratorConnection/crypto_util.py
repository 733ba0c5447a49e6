"""The key, which is none here: see ``OpenOrchestrator.common.crypto_util``."""

from OpenOrchestrator.common.crypto_util import decrypt_string, encrypt_string, generate_key, get_key, set_key, validate_key

__all__ = ["decrypt_string", "encrypt_string", "generate_key", "get_key", "set_key", "validate_key"]
