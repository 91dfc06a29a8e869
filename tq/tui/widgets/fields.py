"""Fields that take keys in the order in which they were pressed."""

from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.binding import Binding
from textual.widgets import Input

if TYPE_CHECKING:
    from textual.widget import Widget as _Mixin
else:
    _Mixin = object  # a widget too, it would hide from style sheets what a field is made from


class InOrder(_Mixin):
    """Does at once what a key is bound to in the field itself.

    Left to Textual, a key that is bound to something travels up to the application and comes back, while a character
    goes into the text as it arrives: of "backspace, 7" that come in one piece, as over a slow link, the 7 is what gets
    deleted.
    """

    made_from: ClassVar[type[Any]]
    """The field of Textual's that this one is."""

    async def _on_key(self, event: events.Key) -> None:
        action = _actions(type(self), self.made_from).get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()  # Textual calls the handlers of all classes, not only the first one
            await self.run_action(action)


def _actions(field: type[Any], made_from: type[Any]) -> dict[str, str]:
    """The action of each key that is bound in a field or in what it is made from."""
    bound = [
        binding
        for base in reversed(field.__mro__)
        if issubclass(base, made_from)
        for binding in base.__dict__.get("BINDINGS", ())
    ]
    return {
        key.strip(): binding.action
        for binding in bound
        if isinstance(binding, Binding)
        for key in binding.key.split(",")
    }


class Field(InOrder, Input):
    """One line."""

    made_from = Input
