// The code editor of the web interface: CodeMirror 6 over a textarea, which stays the control of the form.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { jsonLanguage, jsonParseLinter } from "@codemirror/lang-json";
import { pythonLanguage } from "@codemirror/lang-python";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { shell } from "@codemirror/legacy-modes/mode/shell";
import { linter, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const LANGUAGES = {
  python: () => [pythonLanguage, indentUnit.of("    ")],
  shell: () => [StreamLanguage.define(shell)],
  json: () => [jsonLanguage, linter(parse, { delay: 300 })],
};
const parseJson = jsonParseLinter();
const parse = (view) => (view.state.doc.toString().trim() ? parseJson(view) : []);
// The colours are those of the page, in light and dark.
const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--accent)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--warn)" },
  { tag: [tags.comment], color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.propertyName, tags.definition(tags.variableName), tags.standard(tags.variableName)], color: "var(--busy)" },
  { tag: [tags.invalid], color: "var(--bad)" },
]);
const look = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--text)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5", maxBlockSize: "70vh", overflow: "auto" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--muted)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 8%, transparent)" },
  ".cm-cursor": { borderInlineStartColor: "var(--text)" },
  ".cm-placeholder": { color: "var(--muted)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 25%, transparent)",
  },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--text)", borderColor: "var(--border)" },
});

/** Show an editor in place of a textarea. `options` has its language, nonce, label, ids of descriptions, and hint. */
export function attach(textarea, options) {
  const describe = EditorView.contentAttributes.of({
    id: `${textarea.id}-code`,
    "aria-label": options.label,
    "aria-describedby": options.describedBy,
    spellcheck: "false",
    autocapitalize: "off",
  });
  const copy = EditorView.updateListener.of((update) => {
    if (!update.docChanged) return;
    textarea.value = update.state.doc.toString();
    textarea.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const lines = EditorView.theme({ ".cm-content, .cm-gutter": { minBlockSize: `${textarea.rows * 1.5}em` } });
  const view = new EditorView({
    state: EditorState.create({
      doc: textarea.value,
      extensions: [
        EditorView.cspNonce.of(options.nonce), describe, copy, look, lines, syntaxHighlighting(colours),
        lineNumbers(), lintGutter(), history(), drawSelection(), highlightActiveLine(), bracketMatching(), indentOnInput(),
        placeholder(textarea.placeholder), EditorState.tabSize.of(4), EditorView.lineWrapping,
        // Escape, then Tab, leaves: the view ignores the binding of Tab for two seconds after Escape.
        keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
        ...LANGUAGES[options.language](),
      ],
    }),
  });
  textarea.after(view.dom);
  return view;
}

/** Mark a line as wrong, with a message; with no number, mark none. */
export function mark(view, number, message) {
  const isKnown = number >= 1 && number <= view.state.doc.lines;
  const line = isKnown ? view.state.doc.line(number) : null;
  view.dispatch(setDiagnostics(view.state, line ? [{ from: line.from, to: line.to, severity: "error", message }] : []));
}

/** Take over what the textarea contains. */
export function refresh(view, textarea) {
  const text = view.state.doc.toString();
  if (text !== textarea.value) view.dispatch({ changes: { from: 0, to: text.length, insert: textarea.value } });
}
