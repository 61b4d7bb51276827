"""What may be behind an answer without hits, and what is amiss with a question that is no sentence.

The service says nothing of why it found nothing. The causes are those that are documented or reported; only the ones
that could apply to the request are named.
"""

import re

from copilot_mcp.graph import RetrievalBody

__all__ = ["causes_of_nothing", "keyword_hint"]

_SEMANTIC_TYPES = frozenset({"doc", "docx", "pptx", "pdf", "aspx", "one"})
"""What Microsoft's semantic index covers; every other type is found by its words alone."""

_TYPE_FILTER = re.compile(r"(?<!NOT )(?<!NOT \()(?:FileType|FileExtension)[:=]\"?\.?(\w+)", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_LIST_MARKS = re.compile(r"[,;|/+\n]|\bOR\b|\bAND\b")
_SPACED_SCRIPTS = re.compile(r"[A-Za-zÀ-ɏ]")
_MOST_KEYWORDS = 8
_SMALL_WORDS = """
about after an and are as at be before between by can could did do does during every for from had has have how if
in is it its last me my next no not of on or our should since that than the their them there these they this to until
was we were what when where which who whose why will with without would you your
list show find tell give explain summarize summarise compare describe
auf aus bei das dem den der des die ein eine einem einen einer es für gibt haben hat ich im ist man mit nach oder seit
sich sind über und unsere unser von wann warum was welche welcher welches wer wie wir wird wo zu zum zur
au aux avec ce combien comment dans de du elle en est et il je la le les leur ma mon nos notre nous où par pour
pourquoi quand que quel quelle quelles quels qui quoi sont sur un une
al cómo con cuál cuáles cuándo cuánto cuántos del dónde el está hay las lo los nuestra nuestro para por qué quién se su
ao com como da do dos é em na nas nossa nosso onde quais qual quando quanto quantos
che chi ci come cosa dei della delle di dove è gli nel nella nostra nostro per perché quale quali quanti sono sul
aan bij dat een er het hoe hoeveel ik met naar niet om onze op te uit van voor waar waarom wanneer wat welke wij zijn
af det ett för fra från har hur hva hvad hvor hvordan inte med og och på som til till vad vår är
"""
"""What sentences have and lists of keywords lack, in nine European languages."""

_SENTENCE_WORDS = frozenset(("a", "i", *_SMALL_WORDS.split()))


def keyword_hint(query: str) -> str | None:
    """A hint where `query` looks like a bare list of keywords, which the service's semantic search handles worse.

    Judged by the small words that sentences have; a text in another script is not judged.
    """
    if "?" in query or not _SPACED_SCRIPTS.search(query):
        return None
    words = [word.casefold() for word in _WORD.findall(query)]
    listed = len(_LIST_MARKS.findall(query)) + 1 >= max(2, len(words) / 2)
    small = sum(word in _SENTENCE_WORDS for word in words)
    if not words or small > (1 if listed else 0) or (len(words) > _MOST_KEYWORDS and not listed):
        return None
    return (
        "The question looks like a list of keywords. One full sentence that says what is wanted finds more: the "
        "search goes by meaning first."
    )


def causes_of_nothing(body: RetrievalBody) -> str:
    """Why `body` may have found nothing, as one note."""
    causes = ["nothing relevant is indexed", "the person may not read it"]
    if body.filter_expression:
        causes.append(f"the filter leaves nothing: try without it{_lexical_only(body.filter_expression)}")
    causes += _SOURCE_CAUSES[body.data_source]
    if body.data_source == "externalItem" and _connections(body):
        causes.append(f"only {', '.join(_connections(body))} was searched: leave `dataSourceConfiguration` out")
    causes.append(
        "retrieval is not enabled for this tenant or this app registration: then every question finds nothing"
    )
    return f"No hits. That does not prove that nothing exists. It may be that {'; '.join(causes)}."


_SOURCE_CAUSES = {
    "sharePoint": ["it is a picture, a chart, or a table outside doc, docx and pptx, which are not searched"],
    "oneDriveBusiness": [
        "it is in a SharePoint site or a chat, not in the person's own OneDrive",
        "the person has no Microsoft 365 Copilot licence, which OneDrive needs",
    ],
    "externalItem": ["the connector has not indexed it, or is not offered to Copilot"],
    "sharePointEmbedded": ["the container type has no index yet, which takes time for new content"],
}


def _lexical_only(expression: str) -> str:
    types = dict.fromkeys(each.lower() for each in _TYPE_FILTER.findall(expression))
    by_words = [each for each in types if each not in _SEMANTIC_TYPES]
    return (
        f", or with words that stand in the file ({', '.join(by_words)} is found by its words alone)"
        if by_words
        else ""
    )


def _connections(body: RetrievalBody) -> list[str]:
    external = body.data_source_configuration and body.data_source_configuration.external_item
    return [each.connection_id for each in external.connections] if external else []
