"""Which event of a stream is the last one of its turn; none is marked as such."""

from copilot_mcp.graph.conversation import INTERMEDIATE_TITLE, CopilotConversation, same_text

__all__ = ["Finality"]


class Finality:
    """Feed it every event.

    The last one has the echo and the answer, a counted turn and a real title. The title of the events before it may be
    translated, and then it looks as real as any, so that reading stops at once only where this stream itself has told
    the two apart: by texts that came without the echo before, by another title, or by a title that is the prompt. Else
    what comes next decides, or that nothing does.

    Attributes:
        events: how many there were.
        certain: the last event came, and nothing behind it needs to be waited for.
    """

    def __init__(self, prompt: str) -> None:
        self.events = 0
        self.certain = False
        self._prompt = prompt
        self._before: set[str] = set()  # titles of events that were not the last
        self._overtaken: set[str] = set()  # titles of events that looked like the last, and the answer went on
        self._grew_bare = False  # a text came without its echo
        self._grew = False
        self._candidate: tuple[str, str] | None = None

    @property
    def likely(self) -> bool:
        """Whether the newest text came with all that a last event has, so that a stream which ends here is whole."""
        return self._candidate is not None and self._candidate[0] not in self._overtaken

    def read(self, conversation: CopilotConversation, text: str) -> None:
        """Take the next event, and the text of the answer in it."""
        self.events += 1
        title, candidate = conversation.display_name, self._candidate
        went_on = candidate is not None and bool(text.strip()) and candidate[1] != text
        if not conversation.is_final(self._prompt):
            self._before.add(title)
            self._grew = self._grew or bool(text.strip())
            self._grew_bare = self._grew_bare or (bool(text.strip()) and len(conversation.messages) == 1)
            if candidate is not None and went_on:
                self._overtaken.add(candidate[0])
                self._candidate = None
            return
        another = bool(title) and title not in self._before
        if candidate is not None and went_on and not (another and self._grew):
            self._overtaken.add(candidate[0])
        self._candidate = (title, text)
        told_apart = another and (self._grew or INTERMEDIATE_TITLE in self._before)
        self.certain = self.likely and (
            told_apart or self._grew_bare or conversation.disengaged or same_text(title, self._prompt)
        )
