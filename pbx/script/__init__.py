"""What call scripts import (FEAT-36): a script is a Python file with a function `main(call)`.

    from pbx.script import Call

    def main(call: Call) -> None:
        call.answer()
        if call.digits(most=4, sound="enter-pin") == "1234":
            call.transfer("201")

It runs in a process of its own, started anew for each call. Only the standard library is imported here.
"""

from pbx.script.call import Call, CallEnded, Refused

__all__ = ["Call", "CallEnded", "Refused"]
