/** What a colour stands for, not what it looks like. */
export const tokens = [
  'page',
  'panel',
  'line',
  'ink',
  'soft',
  'ours',
  'peer',
  'act',
  'watch',
  'ok',
  'unjudged',
  'stored',
  'lost',
  'doubled',
  'unknown',
] as const
export type Token = (typeof tokens)[number]

/** A CSS colour for each token. */
export type Theme = Readonly<Record<Token, string>>

export const light: Theme = {
  page: '#ffffff',
  panel: '#f6f7f8',
  line: '#d9dee3',
  ink: '#16202a',
  soft: '#55616d',
  ours: '#0b5cad',
  peer: '#6b7280',
  act: '#a4002f',
  watch: '#8a5000',
  ok: '#0f6b4f',
  unjudged: '#55616d',
  stored: '#bfe3da',
  lost: '#86002d',
  doubled: '#d97a00',
  unknown: '#5d6673',
}

export const dark: Theme = {
  page: '#12161b',
  panel: '#1b2128',
  line: '#343d47',
  ink: '#e8edf2',
  soft: '#a3afbb',
  ours: '#6db3ff',
  peer: '#a9b2bd',
  act: '#ff8aa3',
  watch: '#ffc266',
  ok: '#6fd3b0',
  unjudged: '#a3afbb',
  stored: '#1b3f3b',
  lost: '#ff7a9c',
  doubled: '#ffe9bd',
  unknown: '#5f74b5',
}

/** Colours of areas that are too near to the page in one theme or the other to be read as text: what is written of them is written in ink. */
const areas: ReadonlySet<Token> = new Set(['page', 'panel', 'line', 'stored', 'doubled', 'unknown'])

export function textTone(token: Token): Token {
  return areas.has(token) ? 'ink' : token
}

const perToken = (colour: (token: Token) => string): Theme =>
  Object.fromEntries(tokens.map((token) => [token, colour(token)])) as Theme

/** For pictures inside a page: they follow the page's own colours, set by `declarations`, without being drawn again. */
export const variables: Theme = perToken((token) => `var(--${token})`)

/** The custom properties that `variables` names, as the inside of a CSS rule. */
export function declarations(theme: Theme): string {
  return tokens.map((token) => `--${token}:${theme[token]}`).join(';')
}
