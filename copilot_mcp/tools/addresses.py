"""Addresses of files that a question may be about."""

__all__ = ["file_address"]


def file_address(given: str) -> str:
    """The address of the file that `given` stands for, for `contextualResources.files`.

    Raises:
        AddressError: As for `direct_address`, and for a host without a path. A ValueError to whoever has not loaded
            the language.
    """
    from copilot_mcp.kql.links import AddressError, direct_address

    address = direct_address(given)
    if address.count("/") < 3 or address.endswith("/"):
        raise AddressError("names no file; write the file's whole address.")
    return address
