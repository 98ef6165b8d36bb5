import { render } from 'preact';
import './style';
import { App } from './app';
import { followLinks } from './state/url';

followLinks();
const root = document.getElementById('app');
if (root) render(<App />, root);
