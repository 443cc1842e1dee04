"""A visitor without a browser: speaks Streamlit's WebSocket protocol, so that many fit on one machine."""

import time
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

_MOST_BYTES = 64 * 2**20


@dataclass
class Visitor:
    """One open page of the app."""

    socket: ClientConnection
    page: str
    query: str
    script: str = ""
    """The hash of the page that is drawn, as the server told it; a rerun without it would draw the first page."""
    widgets: dict[str, str] = field(default_factory=dict)
    """Identities of the sliders that were drawn last, by label."""
    states: dict[str, WidgetState] = field(default_factory=dict)
    errors: int = 0

    @classmethod
    async def open(cls, address: str, page: str, query: str = "") -> "Visitor":
        """Open a page of the app at `address` and wait until it is drawn."""
        url = address.replace("http", "ws", 1) + "/_stcore/stream"
        socket = await connect(url, subprotocols=[Subprotocol("streamlit")], max_size=_MOST_BYTES)
        visitor = cls(socket, page, query)
        await visitor.rerun()
        return visitor

    async def move(self, label: str, value: float) -> float:
        """Move a slider; give the seconds until the page is drawn anew."""
        state = WidgetState(id=self.widgets[label])
        state.double_array_value.data.append(value)
        self.states[state.id] = state
        return await self.rerun()

    async def rerun(self) -> float:
        """Ask for the page with the widgets as they are; give the seconds until it is drawn."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_script_hash = self.script
        message.rerun_script.page_name = "" if self.script else self.page
        message.rerun_script.widget_states.widgets.extend(self.states.values())
        begin = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        while not await self._heard():
            pass
        return time.perf_counter() - begin

    async def _heard(self) -> bool:
        """Read one message; tell whether the script has ended."""
        heard = ForwardMsg()
        received: Any = await self.socket.recv()
        heard.ParseFromString(received)
        kind = heard.WhichOneof("type")
        if kind == "new_session":
            self.widgets = {}
        elif kind == "navigation":
            self.script = heard.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = heard.page_info_changed.query_string
        elif kind == "delta" and heard.delta.HasField("new_element"):
            element = heard.delta.new_element
            if element.HasField("slider"):
                self.widgets[element.slider.label] = element.slider.id
            self.errors += element.HasField("exception") or element.alert.format == element.alert.ERROR
        return kind == "script_finished" and heard.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY

    async def close(self) -> None:
        """Leave."""
        await self.socket.close()
