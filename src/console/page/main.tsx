import { render } from 'preact'
import { App } from './app.js'
import { takeToken } from './ask.js'
import { showAsText } from './plain-text.js'

showAsText()
takeToken()
const root = document.getElementById('app')
if (root !== null) render(<App />, root)
