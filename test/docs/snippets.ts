import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import ts from 'typescript'
import { entries, exportsOf, type Snippet } from './compile.js'
import { root, type CodeBlock } from './pages.js'

const worlds = `${root}test/docs/worlds/`
const worldFiles = readdirSync(worlds).filter((name) => /^[\w-]+\.ts$/.test(name))

/** Where the names come from that a page uses and does not declare: its own world, the common one, the library. */
function sources(): (page: string) => ReadonlyMap<string, string> {
  const exported = exportsOf([...entries.map(({ file }) => file), ...worldFiles.map((name) => worlds + name)])
  const namesOf = (file: string, module: string) => (exported.get(file) ?? []).map((name) => [name, module] as const)
  const library = entries.toReversed().flatMap(({ file, module }) => namesOf(file, module))
  const world = (name: string) => namesOf(`${worlds}${name}.ts`, `./${name}.js`)
  // The last one that has a name is taken.
  return (page) => new Map([...library, ...world('common'), ...world(basename(page, '.md'))])
}

/** Names that a text uses and does not declare itself. */
function missingNames(code: string): ReadonlySet<string> {
  const declared = new Set<string>()
  const used = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) used.add(node.text)
    if (
      (ts.isImportSpecifier(node) || ts.isVariableDeclaration(node) || ts.isParameter(node)) &&
      ts.isIdentifier(node.name)
    ) {
      declared.add(node.name.text)
    }
    if (ts.isBindingElement(node) && ts.isIdentifier(node.name)) declared.add(node.name.text)
    const isNamed = ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node)
    if (isNamed && node.name !== undefined) declared.add(node.name.text)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('snippet.ts', code, ts.ScriptTarget.Latest))
  return new Set([...used].filter((name) => !declared.has(name)))
}

function snippetOf({ page, line, code }: CodeBlock, sources: ReadonlyMap<string, string>): Snippet {
  const spelled = code.replaceAll(/…(?=[,\s])/g, '...others')
  const imports = [...missingNames(spelled)]
    .filter((name) => sources.has(name))
    .map((name) => `import { ${name} } from '${sources.get(name) as string}'`)
  return { name: `${basename(page, '.md')}-${line}`, prelude: imports.join('; '), code: spelled }
}

/** The blocks as modules, each with the imports that its reader is expected to know. */
export function snippetsOf(blocks: readonly CodeBlock[]): readonly Snippet[] {
  const sourcesOf = sources()
  return blocks.map((block) => snippetOf(block, sourcesOf(block.page)))
}
