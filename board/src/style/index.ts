import './colours.css';
import './base.css';
import './frame.css';
import './parts.css';
import './list.css';
import './pages.css';
import './plan.css';
import './matrix.css';
