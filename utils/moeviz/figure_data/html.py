"""Tables as HTML, for pages and filmstrips."""

from html import escape


def as_html(table):
    """Return a table {"title", "columns", "rows"} as HTML that a screen reader can walk through.

    >>> as_html({"title": "load", "columns": ["expert", "tokens"], "rows": [["0", "3"]]}).count("scope=")
    3
    """
    title = escape(table["title"])
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table["columns"])
    rows = "".join(f'<tr><th scope="row">{escape(name)}</th>'
                   + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"
                   for name, *cells in table["rows"])
    return (f'<div class="scroll" tabindex="0" role="group" aria-label="Table: {title}"><table>'
            f"<caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")
