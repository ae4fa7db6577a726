import { useState } from 'preact/hooks'
import type { About } from '../server/app.js'
import { Announcement } from './announce.js'
import { request, useAsked } from './ask.js'
import { goBack, hasArrived, useFocus } from './focus.js'
import { Foot, Top } from './frame.js'
import { Help } from './help.js'
import { useKeys } from './keys.js'
import { tellsOf, useIsHidden, useLive } from './live.js'
import { Note, type Noted } from './note.js'
import { Token } from './parts/token.js'
import { useRoute } from './route.js'
import { View } from './view.js'
import { watchedOf } from './watched.js'

export function App() {
  const route = useRoute()
  const [isPaused, setPaused] = useState(false)
  const [isHelping, setHelping] = useState(false)
  const shown = watchedOf(route)
  const isHidden = useIsHidden()
  const state = useLive(shown, isPaused || isHidden)
  const about = useAsked<About>('api/about', {})
  const isOurs = tellsOf(state, shown)
  useFocus(route.hash, isOurs)
  const pause = () => setPaused((before) => !before)
  const [noted, setNoted] = useState<Noted | null>(null)
  const tell = (text: string) => setNoted({ text })
  useKeys(
    {
      lookNow: () =>
        void request('api/look').then(
          () => tell('Looking …'),
          () => tell('The console does not answer.'),
        ),
      pause,
      help: () => setHelping(true),
      copy: () => void copied(`${sentence()}\n${location.href}`).then(tell),
      back: goBack,
      tell,
    },
    () => hasArrived() && document.querySelector('main .waiting') === null,
  )
  // A view of ours with a name in it that cannot be.
  const isNoView = !isOurs && state.problem?.code === 'not-understood'
  const view = isNoView ? { ...route, view: 'none' } : route
  // Also later: a console that was started anew has another one.
  const needsToken = state.problem?.code === 'token'
  return (
    <>
      <a class="skip" href="#main" onClick={toMain}>
        To the content
      </a>
      <Top view={route.view} state={state} isPaused={isPaused} onPause={pause} onHelp={() => setHelping(true)} />
      <main id="main">
        {needsToken ? (
          <Token
            onToken={() => {
              about.again()
              state.again()
            }}
          />
        ) : (
          <View route={view} live={isOurs ? state.live : null} redrives={state.redrives} about={about.value} />
        )}
      </main>
      <Foot frame={state.live?.frame ?? null} />
      <Announcement sentence={isOurs ? sentence() : ''} />
      <Note noted={noted} onEnd={() => setNoted(null)} />
      {isHelping ? <Help onClose={() => setHelping(false)} /> : null}
    </>
  )
}

/** A link to a part of the page would be taken for a view. */
function toMain(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('h1')?.focus()
}

function sentence(): string {
  return document.querySelector('[data-sentence]')?.textContent?.trim() ?? ''
}

/** What became of it. Browsers let only pages of this machine, or of https, write there. */
async function copied(text: string): Promise<string> {
  try {
    await navigator.clipboard.writeText(text)
    return 'Copied.'
  } catch {
    return 'This browser does not let the page copy: take the sentence by hand.'
  }
}
