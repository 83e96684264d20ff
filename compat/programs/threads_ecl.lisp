;; ECL: threads on the Boehm collector, which stops them by signal; mutexes, condition variables, mailboxes, an interrupt.
(defvar *count* 0)
(defvar *lock* (mp:make-lock))

(defun work (number)
  (dotimes (turn 300) (make-list 200 :initial-element turn))
  (sleep 0.01)
  (mp:with-lock (*lock*) (incf *count* number))
  (when (zerop (mod number 5)) (ext:gc t))
  number)

(let ((threads (loop for number below 20 collect (let ((number number)) (mp:process-run-function 'work (lambda () (work number)))))))
  (print (reduce #'+ (mapcar #'mp:process-join threads)))
  (print *count*))

(let* ((questions (mp:make-mailbox :count 4)) (answers (mp:make-mailbox :count 4))
       (partner (mp:process-run-function 'partner
                  (lambda () (loop for n = (mp:mailbox-read questions) while n do (mp:mailbox-send answers (* n n)))))))
  (print (loop for n from 1 to 100 do (mp:mailbox-send questions n) sum (mp:mailbox-read answers)))
  (mp:mailbox-send questions nil)
  (mp:process-join partner))

(let ((sleeper (mp:process-run-function 'sleeper (lambda () (catch 'stop (sleep 60)) :stopped))))
  (sleep 0.05)
  (mp:interrupt-process sleeper (lambda () (throw 'stop nil)))
  (print (mp:process-join sleeper))
  (terpri))
(ext:quit 0)
