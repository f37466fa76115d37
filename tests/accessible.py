"""What axe finds on a page. Contrast, most of its time, is looked at once for all texts that look alike."""

from axe_playwright_python.sync_playwright import Axe

OPTIONS = {"resultTypes": ["violations"], "selectors": False, "preload": False}
IN_EACH_FORM = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")
MARK = "data-looked-at"
# A text's contrast is a matter of its own style and of what is painted behind it. Of all that share both, the
# first and the last one are marked.
MARK_SAMPLES = """mark => {
    const grounds = new Map([[null, ""]]), alike = new Map();
    for (const part of document.querySelectorAll("body, body *")) {
        const style = getComputedStyle(part), behind = grounds.get(part.parentElement) ?? "";
        const own = [style.backgroundColor, style.backgroundImage, style.opacity, style.position,
            style.filter, style.zIndex, style.mixBlendMode, style.transform].join();
        grounds.set(part, own === PLAIN ? behind : `${behind}/${own}`);
        if (![...part.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
            && !part.matches("input, select, textarea")) continue;
        if (!part.checkVisibility()) continue;
        const look = [grounds.get(part), style.color, style.fontSize, style.fontWeight,
            style.textShadow, style.webkitTextFillColor].join();
        if (alike.has(look)) alike.get(look).push(part);
        else alike.set(look, [part]);
    }
    for (const parts of alike.values())
        for (const part of [parts[0], parts.at(-1)]) part.setAttribute(mark, "");
}""".replace("PLAIN", '"rgba(0, 0, 0, 0),none,1,static,none,auto,normal,none"')
RUN = """async ([mark, options, within]) => {
    const rule = { id: "color-contrast", selector: `[${mark}]` };
    axe.configure({ rules: [rule] });
    const { violations } = await axe.run(within, options);
    document.querySelectorAll(`[${mark}]`).forEach(part => part.removeAttribute(mark));
    const first = ({ html }) => html.replace(` ${mark}=""`, "").slice(0, 300);
    return violations.map(({ id, impact, nodes }) => [id, impact, first(nodes[0])]);
}"""


def faults(page, rules=None, within="html", without=()):
    """Return what axe finds, [(rule, impact, the first element), ...].

    rules: only these, such as IN_EACH_FORM: what another theme or another width can change.
    within: a selector of the parts that are looked at. without: rules that are not asked.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    page.evaluate(MARK_SAMPLES, MARK)
    chosen = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    chosen["rules"] = {rule: {"enabled": False} for rule in without}
    return page.evaluate(RUN, [MARK, OPTIONS | chosen, within])
