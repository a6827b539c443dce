"""The commands that domains bring, found in the registry, which is opened when one of them is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, get_args

import msgspec
import typer
from typer.core import TyperGroup
from typer.main import get_command

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.calling import ask, show_json
from tenantry.foundation.command import BadUsage, Command, Option

AS_JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def beside_core(assembly: Assembly, group: str | None = None) -> type[TyperGroup]:
    """A group in which commands of domains stand beside core's; without a name, all their groups beside core's own."""

    class Group(TyperGroup):
        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            return self.commands.get(cmd_name) or self._brought().get(cmd_name)

        def list_commands(self, ctx: Any) -> list[str]:
            return list(dict.fromkeys((*self.commands, *self._brought())))

        def _brought(self) -> dict[str, Any]:
            brought = assembly.registry().commands
            below = _below(group, (one.group for one in brought))
            groups = {name.rpartition(" ")[2]: _group(assembly, name) for name in below}
            return groups | {one.name: _command(assembly, one) for one in brought if one.group == group}

    return Group


def _below(group: str | None, groups: Iterable[str]) -> Iterable[str]:
    """The groups that stand in a group, by their whole names; a name of two words is a group in a group."""
    above = [] if group is None else group.split()
    deeper = (name.split() for name in groups)
    return dict.fromkeys(
        " ".join(words[: len(above) + 1])
        for words in deeper
        if words[: len(above)] == above and len(words) > len(above)
    )


def _group(assembly: Assembly, name: str) -> Any:
    app = typer.Typer(
        name=name.rpartition(" ")[2], cls=beside_core(assembly, name), no_args_is_help=True, add_completion=False
    )
    # a group with a callback stays one, however many commands it has
    app.callback()(lambda: None)
    return get_command(app)


def _command(assembly: Assembly, command: Command) -> Any:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name=command.name, help=command.sentence)(_performing(assembly, command))
    return get_command(app)


def _performing(assembly: Assembly, command: Command) -> Callable[..., None]:
    def perform(*, as_json: bool, **options: Any) -> None:
        name = f"{command.group} {command.name}"
        try:
            answer = ask(assembly, name, lambda call, _: command.function(call, **options))
        except BadUsage as error:
            raise typer.BadParameter(str(error)) from error
        show_json(answer) if as_json else _show(answer)
        if command.failed(answer):
            raise typer.Exit(1)

    json = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AS_JSON)
    signature = inspect.Signature([*map(_option, _options(command)), json])
    perform.__signature__ = signature  # type: ignore[attr-defined]
    perform.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
    return perform


def _options(command: Command) -> list[inspect.Parameter]:
    return list(inspect.signature(command.function, eval_str=True).parameters.values())[1:]


def _option(parameter: inspect.Parameter) -> inspect.Parameter:
    plain, *notes = get_args(parameter.annotation)
    note = next(note for note in notes if isinstance(note, Option))
    flag = note.flag or "--" + parameter.name.replace("_", "-")
    return parameter.replace(annotation=Annotated[plain, typer.Option(flag, help=note.meaning)])


def _show(answer: msgspec.Struct) -> None:
    for field, content in msgspec.structs.asdict(answer).items():
        if isinstance(content, list):
            typer.echo(f"{field.replace('_', ' ')}: {len(content)}")
            for one in content:
                typer.echo(msgspec.json.encode(one))
        else:
            typer.echo(f"{field.replace('_', ' ')}: {content}")
