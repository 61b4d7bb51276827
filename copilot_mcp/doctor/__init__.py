"""What prevents the tools from working, and what to do about it: checks with a verdict each.

Nothing here prompts, signs in, prints or calls Copilot, and no finding holds a secret.
"""

from copilot_mcp.doctor.configuration import FileRead, Given, Source
from copilot_mcp.doctor.examination import Outside, Subject, addresses_of, examine
from copilot_mcp.doctor.findings import Finding, Section, Verdict, shown_address, worst
from copilot_mcp.doctor.local_network import proxy_of
from copilot_mcp.doctor.network import Way
from copilot_mcp.doctor.sign_in import account_finding, simulated_findings

__all__ = [
    "FileRead",
    "Finding",
    "Given",
    "Outside",
    "Section",
    "Source",
    "Subject",
    "Verdict",
    "Way",
    "account_finding",
    "addresses_of",
    "examine",
    "proxy_of",
    "shown_address",
    "simulated_findings",
    "worst",
]
