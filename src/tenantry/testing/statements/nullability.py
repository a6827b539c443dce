"""Which columns of an analysed query may be null, traced through joins, subqueries, CTEs, unions and views.

Whatever is not known to be never null counts as nullable: a wrong answer costs an override, never a surprise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tenantry.testing.statements import promises
from tenantry.testing.statements.catalogue import Catalogue
from tenantry.testing.statements.nodes import Node

SELECT, UPDATE, INSERT, DELETE, MERGE = "1", "2", "3", "4", "5"
_UNION, _INTERSECT = "1", "2"
_FULL_JOIN = "2"
_OLD, _NEW = "1", "2"
_EXISTS, _ANY, _ALL, _SCALAR, _ARRAY = "0", "2", "1", "4", "6"
_CURRENT_SCHEMA = "14"
_OF_SUBLINK = "2"

Scope = tuple[Node, ...]
"""The queries around an expression, the innermost last."""


class Nullability:
    """Answers, column by column, whether a query may return null there."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._asking: set[tuple[int, int]] = set()

    def of(self, query: Node) -> list[bool]:
        """For each column that the query returns: may it be null?"""
        return [self._output((query,), index) for index in range(len(_outputs(query)))]

    def _output(self, scope: Scope, index: int) -> bool:
        question = (id(scope[-1]), index)
        # a recursive query asks about itself; its own rows add no null that its other rows do not bring
        if question in self._asking:
            return False
        self._asking.add(question)
        try:
            return self._output_of(scope, index)
        finally:
            self._asking.remove(question)

    def _output_of(self, scope: Scope, index: int) -> bool:
        query, columns = scope[-1], _outputs(scope[-1])
        if query["setOperations"] is not None:
            return self._combined(scope, query["setOperations"], index)
        if index >= len(columns):
            return True
        column = columns[index]
        # rollup and cube return null for a grouped expression; only PostgreSQL 18 marks that by itself
        grouped_away = query["groupingSets"] is not None and column["ressortgroupref"] != "0"
        return grouped_away or self._expression(scope, column["expr"])

    def _combined(self, scope: Scope, arm: Node, index: int) -> bool:
        if arm.kind == "RANGETBLREF":
            return self._range(scope, arm.number("rtindex"), index + 1)
        left = self._combined(scope, arm["larg"], index)
        if arm["op"] == _UNION:
            return left or self._combined(scope, arm["rarg"], index)
        return left and (arm["op"] != _INTERSECT or self._combined(scope, arm["rarg"], index))

    # where a column comes from

    def _variable(self, scope: Scope, node: Node, inside_join: int = 0) -> bool:
        scope = _outwards(scope, node.number("varlevelsup"))
        nulled_by = {int(number) for number in node.items("varnullingrels")[1:]} - {inside_join}
        if nulled_by or _other_version_missing(scope[-1], node) or scope[-1]["groupingSets"] is not None:
            return True
        # the source row of a merge is absent for `when not matched by source`
        if scope[-1]["commandType"] == MERGE and node["varno"] != scope[-1]["resultRelation"]:
            return True
        return self._range(scope, node.number("varno"), node.number("varattno"))

    def _range(self, scope: Scope, number: int, column: int) -> bool:
        entry: Node = scope[-1]["rtable"][number - 1]
        if column <= 0:  # the whole row, or a column of the system
            return entry["rtekind"] not in ("0", "1", "6")
        follow = self._RANGES.get(entry["rtekind"])
        return follow is None or follow(self, scope, entry, number, column)

    def _table(self, scope: Scope, entry: Node, number: int, column: int) -> bool:
        view = self._catalogue.view(entry["relid"])
        if view is not None:
            return self._output((view,), column - 1)
        return not self._catalogue.promises_column(entry["relid"], column)

    def _subquery(self, scope: Scope, entry: Node, number: int, column: int) -> bool:
        return self._output((*scope, entry["subquery"]), column - 1)

    def _join(self, scope: Scope, entry: Node, number: int, column: int) -> bool:
        source = entry["joinaliasvars"][column - 1]
        if entry["jointype"] == _FULL_JOIN and column <= entry.number("joinmergedcols"):
            # `using` of a full join: either side may be the one that is there, so both have to promise
            return any(self._variable(scope, side, number) for side in _variables(source)) or not _variables(source)
        return self._expression(scope, source)

    def _functions(self, scope: Scope, entry: Node, number: int, column: int) -> bool:
        functions = entry["functions"]
        width = sum(function.number("funccolcount") for function in functions)
        if column > width:  # `with ordinality`
            return False
        # of several functions the shorter ones are filled up with null; of a row-valued one nothing is known
        return width > 1 or self._call(scope, functions[0]["funcexpr"], returns_rows=True)

    def _values(self, scope: Scope, entry: Node, number: int, column: int) -> bool:
        return any(self._expression(scope, row[column - 1]) for row in entry["values_lists"])

    def _cte(self, scope: Scope, entry: Node, number: int, column: int) -> bool:
        scope = _outwards(scope, entry.number("ctelevelsup"))
        named = (cte for cte in scope[-1].items("cteList") if cte["ctename"] == entry["ctename"])
        return self._output((*scope, next(named)["ctequery"]), column - 1)

    def _group(self, scope: Scope, entry: Node, number: int, column: int) -> bool:
        return self._expression(scope, entry["groupexprs"][column - 1])

    _RANGES: ClassVar[dict[str, Callable[[Nullability, Scope, Node, int, int], bool]]] = {
        "0": _table,
        "1": _subquery,
        "2": _join,
        "3": _functions,
        "5": _values,
        "6": _cte,
        "9": _group,
    }

    # what an expression makes of it

    def _expression(self, scope: Scope, node: Node) -> bool:
        rule = self._EXPRESSIONS.get(node.kind)
        return rule is None or rule(self, scope, node)

    def _any(self, scope: Scope, nodes: list[Node]) -> bool:
        return any(self._expression(scope, node) for node in nodes)

    def _never(self, scope: Scope, node: Node) -> bool:
        return False

    def _constant(self, scope: Scope, node: Node) -> bool:
        return node.true("constisnull")

    def _like_its_argument(self, scope: Scope, node: Node) -> bool:
        return self._expression(scope, node["arg"])

    def _like_its_arguments(self, scope: Scope, node: Node) -> bool:
        return self._any(scope, node["args"])

    def _first_not_null(self, scope: Scope, node: Node) -> bool:
        return all(self._expression(scope, argument) for argument in node["args"])

    def _case(self, scope: Scope, node: Node) -> bool:
        # without an else PostgreSQL writes a null there
        return self._any(scope, [when["result"] for when in node["args"]] + [node["defresult"]])

    def _operator(self, scope: Scope, node: Node) -> bool:
        return not self._catalogue.promises_operator(node["opno"]) or self._any(scope, node["args"])

    def _in_array(self, scope: Scope, node: Node) -> bool:
        value, array = node["args"]
        # a stored array may hold nulls, one that is spelled out shows what it holds
        elements = array["elements"] if array.kind == "ARRAYEXPR" else None
        if not elements or not self._catalogue.promises_operator(node["opno"]):
            return True
        return self._any(scope, [value, *elements])

    def _call(self, scope: Scope, node: Node, *, returns_rows: bool = False) -> bool:
        # `variadic null` makes null of what never is; rows beside a longer set are filled up with null
        if node.kind != "FUNCEXPR" or node.true("funcvariadic") or node.true("funcretset") > returns_rows:
            return True
        if self._catalogue.function(node["funcid"]) in promises.NEVER:
            return False
        return not self._catalogue.promises_function(node["funcid"]) or self._any(scope, node.items("args"))

    def _aggregate(self, scope: Scope, node: Node) -> bool:
        name = self._catalogue.function(node["aggfnoid"])
        if name in promises.COUNTS:
            return False
        query = _outwards(scope, node.number("agglevelsup"))[-1]
        has_rows = query["groupClause"] is not None and query["groupingSets"] is None and node["aggfilter"] is None
        if not has_rows:
            return True
        values = [argument["expr"] for argument in node.items("args")]
        return name not in promises.OF_ROWS and (name not in promises.OF_VALUES or self._any(scope, values))

    def _window(self, scope: Scope, node: Node) -> bool:
        return self._catalogue.function(node["winfnoid"]) not in promises.COUNTS

    def _clock_or_role(self, scope: Scope, node: Node) -> bool:
        return bool(node["op"] == _CURRENT_SCHEMA)

    def _json_constructor(self, scope: Scope, node: Node) -> bool:
        return node["type"] not in ("1", "2")  # json_object(...) and json_array(...)

    def _sublink(self, scope: Scope, node: Node) -> bool:
        kind, inner = node["subLinkType"], (*scope, node["subselect"])
        if kind in (_EXISTS, _ARRAY):
            return False
        if kind == _SCALAR:
            return not _has_one_row(node["subselect"]) or self._output(inner, 0)
        return kind not in (_ANY, _ALL) or self._in_subquery(inner, node["testexpr"])

    def _in_subquery(self, inner: Scope, test: Node) -> bool:
        if test.kind != "OPEXPR" or not self._catalogue.promises_operator(test["opno"]):
            return True
        value = [side for side in test["args"] if not _is_of_sublink(side)]
        return self._output(inner, 0) or self._any(inner[:-1], value)

    _EXPRESSIONS: ClassVar[dict[str, Callable[[Nullability, Scope, Node], bool]]] = {
        "VAR": _variable,
        "CONST": _constant,
        "RELABELTYPE": _like_its_argument,
        "COERCEVIAIO": _like_its_argument,
        "ARRAYCOERCEEXPR": _like_its_argument,
        "COERCETODOMAIN": _like_its_argument,
        "COLLATEEXPR": _like_its_argument,
        "NAMEDARGEXPR": _like_its_argument,
        "BOOLEXPR": _like_its_arguments,
        "COALESCEEXPR": _first_not_null,
        "MINMAXEXPR": _first_not_null,
        "CASEEXPR": _case,
        "OPEXPR": _operator,
        "SCALARARRAYOPEXPR": _in_array,
        "FUNCEXPR": _call,
        "AGGREF": _aggregate,
        "WINDOWFUNC": _window,
        "SUBLINK": _sublink,
        "SQLVALUEFUNCTION": _clock_or_role,
        "JSONCONSTRUCTOREXPR": _json_constructor,
        "NULLTEST": _never,
        "BOOLEANTEST": _never,
        "DISTINCTEXPR": _never,
        "GROUPINGFUNC": _never,
        "MERGESUPPORTFUNC": _never,
        "ARRAYEXPR": _never,
        "ROWEXPR": _never,
    }


def _outputs(query: Node) -> list[Node]:
    columns = query.items("targetList" if query["commandType"] == SELECT else "returningList")
    return [column for column in columns if not column.true("resjunk")]


def _outwards(scope: Scope, levels: int) -> Scope:
    return scope[: len(scope) - levels]


def _other_version_missing(query: Node, node: Node) -> bool:
    """`old` of an inserted row and `new` of a deleted one are null (PostgreSQL 18)."""
    version = node.get("varreturningtype")
    if version not in (_OLD, _NEW):
        return False
    certain = {UPDATE: (_OLD, _NEW), INSERT: (_NEW,), DELETE: (_OLD,)}
    return version not in certain.get(query["commandType"], ())


def _variables(merged: Node) -> list[Node]:
    """The two sides of a merged column, without the casts around them; none where they are anything else."""
    sides = [_bare(side) for side in merged["args"]] if merged.kind == "COALESCEEXPR" else []
    return sides if all(side.kind == "VAR" for side in sides) else []


def _bare(side: Node) -> Node:
    while side.kind == "RELABELTYPE":
        side = side["arg"]
    return side


def _has_one_row(query: Node) -> bool:
    """Whether a query returns exactly one row whatever is stored."""
    cut = ("setOperations", "groupClause", "groupingSets", "havingQual", "limitCount", "limitOffset")
    if query["commandType"] != SELECT or query.true("hasTargetSRFs") or any(query[clause] for clause in cut):
        return False
    tree = query["jointree"]
    return query.true("hasAggs") or (tree["fromlist"] is None and tree["quals"] is None)


def _is_of_sublink(side: Node) -> bool:
    return _bare(side).kind == "PARAM" and bool(_bare(side)["paramkind"] == _OF_SUBLINK)
