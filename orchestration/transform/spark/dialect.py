"""The models' SQL, written once in DuckDB's words, in Spark's.

sqlglot translates; here is what it does not know, or what means something else on the other side though it reads the same. Every rule stands for a
difference that was met on the way from one engine's marts to the other's (docs/spark.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp, parse_one

# The column that a QUALIFY becomes.
KEPT = "is_kept__"
# What is left of a hash: sums of thousands of them stay within 64 bits. Hashes are compared with one another on one engine, and stored in no mart.
HASH_BITS = 2**50 - 1

_STATEMENT = re.compile(r"\s*(/\*.*?\*/\s*|--[^\n]*\n\s*)*", re.DOTALL)
_CREATED = re.compile(r"create\s+table\s+\S+\s+using\s+\w+\s+as\s", re.IGNORECASE)


def spoken(statement: str) -> str:
    """A statement that dbt sends to Spark: what asks for rows is in the models' words and translated, what is Spark's own (SHOW, DROP, INSERT) is not."""
    comments = _STATEMENT.match(statement)
    start = comments.end() if comments else 0
    created = _CREATED.match(statement, start)
    if created:
        return statement[start : created.end()] + translated(statement[created.end() :])
    if re.match(r"(select|with)\b", statement[start:], re.IGNORECASE):
        return translated(statement[start:])
    return statement


def translated(sql: str) -> str:
    """One query in DuckDB's words as one in Spark's (4.0 or newer, with the settings of session.py).

    Raises sqlglot's ParseError where it cannot be read, ValueError for what has no counterpart."""
    # In parentheses, so that the query itself may be replaced as any other part of it.
    tree: exp.Expr = exp.Subquery(this=parse_one(sql, read="duckdb"))
    # From the inside out: a rule finds what is inside its expression translated already.
    for node in reversed(list(tree.walk(bfs=False))):
        rule = FUNCTIONS.get(node.name.lower()) if isinstance(node, exp.Anonymous) else RULES.get(type(node))
        if rule is not None:
            rule(node)
    return tree.this.sql(dialect="spark", pretty=True, comments=False)


def _function(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _number(value: int) -> exp.Expr:
    return exp.Literal.number(value)


def _select(select: exp.Expr) -> None:
    _keys_by_name(select)
    _without_qualify(select)


def _keys_by_name(select: exp.Expr) -> None:
    """`using` as `on` where the star of one table is asked for: Spark's has the keys first after a `using`, DuckDB's where they were."""
    from_ = select.args.get("from_")
    if not from_ or not any(isinstance(item, exp.Column) and isinstance(item.this, exp.Star) for item in select.expressions):
        return
    for join in select.args.get("joins") or []:
        using = join.args.get("using")
        if using:
            keys = [
                (exp.column(key.name, from_.this.alias_or_name), exp.column(key.name, join.this.alias_or_name)) for key in using
            ]
            join.set("using", None)
            join.set("on", exp.and_(*(own.eq(theirs) for own, theirs in keys)))


def _without_qualify(select: exp.Expr) -> None:
    """`qualify` as a `where` around it. sqlglot does so as well, but leaves its helping column among those that a star gives."""
    qualify = select.args.get("qualify")
    if qualify is None:
        return
    inner = select.copy()
    inner.set("qualify", None)
    inner.append("expressions", exp.alias_(qualify.this.copy(), KEPT))
    common, order = inner.args.get("with_"), inner.args.get("order")
    inner.set("with_", None)
    inner.set("order", None)
    outer = exp.select(exp.Star(except_=[exp.to_identifier(KEPT)])).from_(
        exp.alias_(exp.Subquery(this=inner), "numbered__", table=True)
    )
    outer = outer.where(exp.column(KEPT))
    outer.set("with_", common)
    outer.set("order", order)
    select.replace(outer)


def _read(node: exp.Expr) -> None:
    """`read_parquet('pattern')`, or of a list of files, as Spark's pattern. Hadoop calls S3 s3a."""
    first = node.expressions[0]
    paths = [path.name for path in first.expressions] if isinstance(first, exp.Array) else [first.name]
    paths = [re.sub(r"^s3://", "s3a://", path) for path in paths]
    pattern = paths[0] if len(paths) == 1 else "{" + ",".join(paths) + "}"
    table = node.parent
    if not isinstance(table, exp.Table):
        raise ValueError("read_parquet() stands elsewhere than in a FROM")
    table.set("this", exp.to_identifier(pattern, quoted=True))
    table.set("db", exp.to_identifier("parquet"))


def _collected(node: exp.Expr) -> None:
    """`list(x order by a, b desc)`. As DuckDB's: nulls among the values stay, and no row at all gives null. Spark's forgets the ones, gives [] for the
    other, and knows no order: so each value is collected beside its keys, sorted by them, and taken out."""
    value, order = node.this, []
    if isinstance(value, exp.Order):
        value, order = value.this, value.expressions
    is_distinct = isinstance(value, exp.Distinct)
    if is_distinct:
        (value,) = value.expressions
    keys = [f"k{place}" for place in range(len(order))]
    fields = [exp.alias_(one.this.copy(), key) for one, key in zip(order, keys, strict=True)]
    collected: exp.Expr = _function("collect_list", _function("struct", *fields, exp.alias_(value.copy(), "v")))
    # FILTER and OVER belong to the aggregate, what is done with its result stands around them.
    outermost: exp.Expr = node
    while isinstance(outermost.parent, exp.Filter | exp.Window) and outermost.parent.this is outermost:
        outermost = outermost.parent
    if outermost is node:
        result = collected
    else:
        node.replace(collected)
        result = outermost.copy()
    gathered = result.copy()
    if order:
        compared = _compared(keys, [bool(one.args.get("desc")) for one in order])
        result = _function(
            "array_sort", result, exp.Lambda(this=compared, expressions=[exp.to_identifier("l"), exp.to_identifier("r")])
        )
    values = _function("transform", result, exp.Lambda(this=exp.column("v", "e"), expressions=[exp.to_identifier("e")]))
    if is_distinct:
        values = _function("array_distinct", values)
    of_rows = _function("if", _function("size", gathered) > 0, values, exp.null())
    written = outermost.parent
    if isinstance(written, exp.Cast) and written.is_type(*exp.DataType.TEXT_TYPES):
        # As DuckDB writes a list: with the word NULL. It also quotes what is no plain word; the models write hashes alone.
        text = _function("array_join", of_rows, exp.Literal.string(", "), exp.Literal.string("NULL"))
        written.replace(_function("concat", exp.Literal.string("["), text, exp.Literal.string("]")))
    else:
        outermost.replace(of_rows)


def _compared(keys: list[str], descending: list[bool]) -> exp.Expr:
    """-1, 0 or 1 by the keys of two structs `l` and `r`, nulls last in either direction."""
    case = exp.Case()
    for key, is_descending in zip(keys, descending, strict=True):
        left, right = exp.column(key, "l"), exp.column(key, "r")
        case = case.when(left.is_(exp.null()).and_(right.is_(exp.null()).not_()), _number(1))
        case = case.when(right.is_(exp.null()).and_(left.is_(exp.null()).not_()), _number(-1))
        case = case.when(left < right, _number(1 if is_descending else -1))
        case = case.when(left > right, _number(-1 if is_descending else 1))
    return case.else_(_number(0))


def _timezone(node: exp.Expr) -> None:
    """`timezone(to, timezone(from, x))`, the one form in which the models say it: of an instant its wall clock, or the other way round."""
    zone, inner = node.expressions
    if isinstance(inner, exp.Anonymous) and inner.name.lower() == "timezone":
        node.replace(_function("convert_timezone", inner.expressions[0].copy(), zone.copy(), inner.expressions[1].copy()))
    elif not (isinstance(node.parent, exp.Anonymous) and node.parent.name.lower() == "timezone"):
        raise ValueError("timezone() stands alone: say between which two zones")


def _divided(node: exp.Expr) -> None:
    # DuckDB divides in floating point, decimals too.
    node.replace(exp.Div(this=exp.cast(node.this.copy(), "double"), expression=node.expression.copy(), typed=False, safe=False))


def _taken(node: exp.Expr) -> None:
    """`list[:n]` and `list[n]`: past the end is null, and no error."""
    (place,) = node.expressions
    if isinstance(place, exp.Slice) and place.this is None:
        node.replace(_function("slice", node.this.copy(), _number(1), place.expression.copy()))
    elif isinstance(place, exp.Literal) and not place.is_string:
        node.replace(_function("get", node.this.copy(), place.copy()))


def _rows_in(node: exp.Expr) -> None:
    """`(a, b) in (select (c, d) from ...)`: Spark compares with two columns, not with one that is a pair. Of keys that are not null: DuckDB finds a pair
    with a null, too, Spark does not."""
    query = node.args.get("query")
    inner = query.this if isinstance(query, exp.Subquery) else query
    if isinstance(node.this, exp.Tuple) and isinstance(inner, exp.Select) and isinstance(inner.expressions[0], exp.Tuple):
        inner.set("expressions", inner.expressions[0].expressions)


def _first_by(node: exp.Expr) -> None:
    """`any_value(x order by y)` is the first that is not null."""
    inner = node.this
    if isinstance(inner, exp.AnyValue) and isinstance(inner.this, exp.Order):
        value, (order,) = inner.this.this, inner.this.expressions
        first = _function("min_by", value.copy(), order.this.copy())
        node.replace(exp.Filter(this=first, expression=exp.Where(this=value.copy().is_(exp.null()).not_())))


def _median_of(values: exp.Expr) -> exp.Expr:
    """The median of a list, nulls left out; null of none. Between two values it is half of both, as DuckDB says it."""
    found = _function("array_sort", _function("array_compact", values))
    size = _function("size", found)
    half = exp.cast(exp.Literal.number("0.5"), "double")
    lower, upper = (
        _function("get", found.copy(), exp.IntDiv(this=exp.paren(place), expression=_number(2))) * half.copy()
        for place in (size.copy() - 1, size.copy())
    )
    return exp.paren(lower + upper)


def _aggregated(node: exp.Expr) -> None:
    values, how = node.expressions
    if how.name == "median":
        node.replace(_median_of(values.copy()))
    elif how.name == "count":
        node.replace(_function("size", _function("array_compact", values.copy())))
    else:
        raise ValueError(f"list_aggregate(..., '{how.name}')")


def _median_over(node: exp.Expr) -> None:
    """A moving median: Spark orders no window for one."""
    if isinstance(node.this, exp.Median) and node.args.get("order"):
        window = node.copy()
        window.set("this", _function("collect_list", node.this.this.copy()))
        node.replace(_median_of(window))


def _is_floating(node: exp.Expr) -> bool:
    """Whether an expression is a floating-point number by what stands in it: a division, a median, a cast to double. Columns tell nothing here."""
    if isinstance(node, exp.Cast):
        return bool(node.to.this == exp.DType.DOUBLE)
    if isinstance(node, exp.Div | exp.Median):
        return True
    if isinstance(node, exp.Subquery | exp.Select | exp.Predicate):
        return False
    return any(_is_floating(one) for one in node.iter_expressions() if not isinstance(one, exp.Where | exp.Order | exp.WindowSpec))


def _scaled(number: exp.Expr, digits: int) -> exp.Expr:
    """A floating-point number times ten to the `digits`, to the whole, half away from zero: there DuckDB rounds, in floating point. Spark rounds what
    it would print, so that 1.005, which is a little less, is 1.01."""
    return _function("round", exp.paren(number) * exp.cast(exp.Literal.number(str(10**digits)), "double"), _number(0))


def _rounded(node: exp.Expr) -> None:
    """`round(x, n)` of a floating-point number."""
    digits = node.args.get("decimals")
    if isinstance(digits, exp.Literal) and int(digits.name) > 0 and _is_floating(node.this):
        power = exp.cast(exp.Literal.number(str(10 ** int(digits.name))), "double")
        node.replace(
            exp.paren(exp.Div(this=_scaled(node.this.copy(), int(digits.name)), expression=power, typed=False, safe=False))
        )


def _cast(node: exp.Expr) -> None:
    kind = node.args["to"]
    # JSON is text.
    if kind.this == exp.DType.JSON:
        node.set("to", exp.DataType.build("varchar"))
    # A floating-point number becomes a decimal by the rounding of `_scaled`.
    elif kind.this == exp.DType.DECIMAL and _is_floating(node.this):
        digits = int(kind.expressions[1].name)
        whole = exp.cast(_scaled(node.this.copy(), digits), "decimal(28, 0)")
        node.this.replace(whole * exp.cast(exp.Literal.string(f"{10**-digits:.{digits}f}"), f"decimal({digits + 1}, {digits})"))


def _whole_text(node: exp.Expr) -> None:
    # Java's $ also stands before a last line break, RE2's only at the very end.
    pattern = node.expression
    if isinstance(pattern, exp.Literal) and pattern.name.endswith("$"):
        node.set("expression", exp.Literal.string(pattern.name[:-1] + "\\z"))


def _highest_bit(node: exp.Expr) -> None:
    """`floor(log2(x))`: Spark's logarithm of 2 to the 29th is a little more, of others a little less, than a whole number."""
    log = node.this
    if isinstance(log, exp.Log) and log.this.name == "2" and log.expression is not None:
        node.replace(exp.paren(_function("length", _function("bin", log.expression.copy())) - 1))


def _replaced(make: Callable[[exp.Expr], exp.Expr]) -> Callable[[exp.Expr], None]:
    def rule(node: exp.Expr) -> None:
        node.replace(make(node))

    return rule


def _as_spark_likes(node: exp.Expr) -> None:
    # Whether a common table is kept in memory is for the engine to say.
    node.set("materialized", None)


RULES: dict[type[exp.Expr], Callable[[exp.Expr], None]] = {
    exp.Select: _select,
    exp.CTE: _as_spark_likes,
    exp.ReadParquet: _read,
    exp.ArrayAgg: _collected,
    exp.Div: _divided,
    exp.Bracket: _taken,
    exp.In: _rows_in,
    exp.IgnoreNulls: _first_by,
    exp.Window: _median_over,
    exp.Cast: _cast,
    exp.Round: _rounded,
    exp.RegexpLike: _whole_text,
    exp.Floor: _highest_bit,
    # The models say len() of lists, and of nothing else.
    exp.Length: _replaced(lambda node: _function("size", node.this.copy())),
    exp.RegexpFullMatch: _replaced(
        lambda node: exp.RegexpLike(this=node.this.copy(), expression=exp.Literal.string(f"^(?:{node.expression.name})\\z"))
    ),
}
FUNCTIONS: dict[str, Callable[[exp.Expr], None]] = {
    "timezone": _timezone,
    "list_aggregate": _aggregated,
    "to_seconds": _replaced(
        lambda node: _function("make_dt_interval", _number(0), _number(0), _number(0), node.expressions[0].copy())
    ),
    "round_even": _replaced(lambda node: _function("bround", *(one.copy() for one in node.expressions))),
    "hash": _replaced(
        lambda node: exp.paren(
            exp.BitwiseAnd(this=_function("xxhash64", *(one.copy() for one in node.expressions)), expression=_number(HASH_BITS))
        )
    ),
}
