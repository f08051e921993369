"""The `helpline` command.

`serve` is loaded without the other commands, so that a restarted server answers callers as soon
as it can; `health`, which a container runs again and again; and `keeper`, which holds keys.
"""

import gc
import sys


def main() -> None:
    """Run a command; a refusal is one sentence on standard error, and exit code 2.

    Another error is told without its words, and exit code 1.
    """
    from app.crashes import tell, tell_no_words
    from app.errors import BadSettings, Refusal

    tell_no_words()
    try:
        if sys.argv[1:2] == ["serve"]:
            # What is loaded stays. Garbage is collected from when the server has loaded everything.
            gc.disable()
            from app.cli.serve import app as serve

            serve(args=sys.argv[2:], prog_name="helpline serve")
        elif sys.argv[1:2] == ["health"]:
            from app.cli.health import app as health

            health(args=sys.argv[2:], prog_name="helpline health")
        elif sys.argv[1:2] == ["keeper"]:
            from app.cli.keeper import app as keeper

            keeper(args=sys.argv[2:], prog_name="helpline keeper")
        else:
            # To look for garbage in what is loaded takes a tenth of the loading, and finds none.
            gc.disable()
            from app.cli.commands import app

            gc.freeze()
            gc.enable()
            app(prog_name="helpline")
    except (BadSettings, Refusal) as error:
        print(f"helpline: {error}", file=sys.stderr)
        sys.exit(2)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        # Not by `sys.excepthook` alone: typer has one of its own.
        tell(error)
        sys.exit(1)
