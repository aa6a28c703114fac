"""What is said when something was heard: edit it and press Apply, it runs in this tab."""

import remotemedia as rm


@rm.node("Answer")
class Answer(rm.Node):
    """Makes one sentence of each event of a kind."""

    class Params(rm.Params, frozen=True):
        text: str = "Yes?"
        event: str = "wake_word"

    input_caps = "json"
    output_caps = "text"

    def process(self, data: rm.Json) -> rm.Text | None:
        if data.value.get("event") != self.params.event:
            return None
        return rm.Text(self.params.text, pts_us=data.pts_us)
