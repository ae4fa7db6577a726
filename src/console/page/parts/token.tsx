import { useState } from 'preact/hooks'
import { keepToken } from '../ask.js'

/** Asks for what the console printed at its start. It is kept in this tab alone. */
export function Token({ onToken }: { readonly onToken: () => void }) {
  const [typed, setTyped] = useState('')
  const take = (event: Event) => {
    event.preventDefault()
    keepToken(typed)
    onToken()
  }
  return (
    <form class="token" onSubmit={take}>
      <label class="field">
        Token that the console printed when it was started
        <input
          type="password"
          autocomplete="off"
          required
          value={typed}
          onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        />
      </label>
      <button type="submit">Use it</button>
    </form>
  )
}
